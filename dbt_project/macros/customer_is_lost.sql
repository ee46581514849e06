{#- Whether a customer is lost: closed, or long without a trade and all but without assets. Null where neither holds and the status is unknown. -#}
{% macro customer_is_lost() -%}
    customer_status = 'closed'
    or (inactive_days >= {{ var('lost_days') }} and total_asset_amount < {{ var('lost_below_amount') }})
{%- endmacro %}
