{#- Whether a customer is a valid one (有效户): by turnover of a year, or by the average assets of the month. -#}
{% macro customer_is_valid() -%}
    turnover_365d_amount >= {{ var('valid_turnover_amount') }}
    or month_average_asset_amount >= {{ var('valid_asset_amount') }}
{%- endmacro %}
