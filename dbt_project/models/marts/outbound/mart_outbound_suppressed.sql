with customers_listed as (
    select * from {{ ref('int_customers_listed') }}
),

final as (
    select
        as_of_date,
        customer_id,
        list_name,
        reason_code,
        purpose,
        suppressed_by
    from customers_listed
    where suppressed_by is not null
)

select * from final
