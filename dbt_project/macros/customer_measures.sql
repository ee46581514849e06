{#- What a group of customers is told by, each measure with its expression over rows of the profile: additive over any grouping. -#}
{% macro customer_measures() -%}
    {{ return({
        'customer_count': 'count(*)',
        'new_customer_count': "count_if(date_format(open_date, 'yyyy-MM') = date_format(as_of_date, 'yyyy-MM'))",
        'valid_customer_count': 'count_if(is_valid_customer)',
        'lost_customer_count': "count_if(life_cycle = 'lost')",
        'customer_asset_amount': 'sum(total_asset_amount)',
        'month_average_asset_amount': 'sum(month_average_asset_amount)',
        'net_inflow_amount': 'sum(month_net_asset_change_amount - month_profit_amount)',
    }) }}
{%- endmacro %}
